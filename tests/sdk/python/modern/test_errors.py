"""openai-python 1.x and later: which exception an answer becomes."""

import time

import openai
import pytest

MESSAGES = [{"role": "user", "content": "Hello"}]


def ask(client, model, **extra):
    return client.chat.completions.create(model=model, messages=MESSAGES, **extra)


def test_wrong_key(target):
    client = openai.OpenAI(base_url=target.base_url, api_key="sk-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client, "gpt-4o-mini")
    assert caught.value.code == "invalid_api_key"
    assert caught.value.type == "invalid_request_error"
    assert "sk-wrong" not in str(caught.value)
    assert caught.value.request_id


@pytest.mark.gateway
def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "no-such-model")
    assert caught.value.code == "model_not_found"


@pytest.mark.gateway
def test_model_not_allowed(client):
    with pytest.raises(openai.PermissionDeniedError):
        ask(client, "forbidden-model")


def test_missing_model_by_retrieve(client):
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_bad_request_of_the_provider(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "status-400")
    assert caught.value.body["message"] == "The request is invalid."


@pytest.mark.gateway
def test_bad_request_of_the_gateway(client):
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", body={"model": 7}, cast_to=object)


def test_unprocessable(client):
    with pytest.raises(openai.UnprocessableEntityError):
        ask(client, "status-422")


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limited_by_the_provider(client, stream):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "status-429", stream=stream)
    assert caught.value.status_code == 429
    assert 1 <= float(caught.value.response.headers["retry-after"]) <= 59


def test_retry_waits_as_told(target):
    client = openai.OpenAI(base_url=target.base_url, api_key=target.key, max_retries=1)
    started = time.monotonic()
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "status-429")
    # The second answer may promise less than the first did, but the client cannot have come back at once.
    assert time.monotonic() - started >= min(1.0, float(caught.value.response.headers["retry-after"]))


@pytest.mark.gateway
def test_limited_key(target):
    client = openai.OpenAI(base_url=target.base_url, api_key=target.limited_key, max_retries=0)
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(4):
            ask(client, "gpt-4o-mini")
    headers = caught.value.response.headers
    assert 1 <= float(headers["retry-after"]) <= 59
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("status", [500, 503])
def test_provider_fails(client, status):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, f"status-{status}")
    assert caught.value.status_code >= 500
    assert caught.value.request_id


@pytest.mark.gateway
def test_provider_refuses_the_gateways_key(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, "status-401")
    assert caught.value.status_code == 502
