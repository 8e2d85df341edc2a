"""openai-python 0.28.1, the last one before the rewrite."""

import asyncio
import io
import json

import openai
import pytest

MESSAGES = [{"role": "user", "content": "Hello"}]
CALLING = [{"role": "user", "content": "Please call tool look_up."}]
FUNCTION = {
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]},
}
STORY = "Write a short story about a cat and a dog."


@pytest.fixture(autouse=True)
def configured(target, monkeypatch):
    monkeypatch.setattr(openai, "api_base", target.base_url)
    monkeypatch.setattr(openai, "api_key", target.key)


def test_completion_by_engine():
    answer = openai.Completion.create(engine="text-davinci-003", prompt=STORY, max_tokens=100)
    assert answer["object"] == "text_completion"
    assert answer.choices[0].text
    assert answer.usage.completion_tokens == len(answer.choices[0].text.split())


def test_completion_by_model():
    answer = openai.Completion.create(model="text-davinci-003", prompt=STORY, max_tokens=4)
    assert len(answer.choices[0].text.split()) == 4


def test_completion_stream():
    plain = openai.Completion.create(engine="text-davinci-003", prompt=STORY, max_tokens=100)
    chunks = openai.Completion.create(engine="text-davinci-003", prompt=STORY, max_tokens=100, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == plain.choices[0].text


def test_chat_plain():
    answer = openai.ChatCompletion.create(model="gpt-4o-mini", messages=MESSAGES)
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_stream():
    plain = openai.ChatCompletion.create(model="gpt-4o-mini", messages=MESSAGES)
    chunks = list(openai.ChatCompletion.create(model="gpt-4o-mini", messages=MESSAGES, stream=True))
    text = "".join(chunk.choices[0].delta.get("content") or "" for chunk in chunks)
    assert text == plain.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_chat_async():
    async def both():
        plain = await openai.ChatCompletion.acreate(model="gpt-4o-mini", messages=MESSAGES)
        stream = await openai.ChatCompletion.acreate(model="gpt-4o-mini", messages=MESSAGES, stream=True)
        return plain, [chunk async for chunk in stream]

    plain, chunks = asyncio.run(both())
    text = "".join(chunk.choices[0].delta.get("content") or "" for chunk in chunks)
    assert text == plain.choices[0].message.content


def test_chat_by_engine():
    answer = openai.ChatCompletion.create(engine="gpt-4o-mini", messages=MESSAGES)
    assert answer.model == "gpt-4o-mini"


def test_functions():
    answer = openai.ChatCompletion.create(model="gpt-4o-mini", messages=CALLING, functions=[FUNCTION])
    choice = answer.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("function_call", None)
    assert choice.message.function_call.name == "look_up"
    assert json.loads(choice.message.function_call.arguments)["count"] == 1


def test_functions_streamed():
    request = {"model": "gpt-4o-mini", "messages": CALLING, "functions": [FUNCTION]}
    plain = openai.ChatCompletion.create(**request).choices[0].message.function_call
    chunks = list(openai.ChatCompletion.create(**request, stream=True))
    calls = [chunk.choices[0].delta["function_call"] for chunk in chunks if "function_call" in chunk.choices[0].delta]
    assert [call["name"] for call in calls if "name" in call] == [plain.name]
    assert "".join(call["arguments"] for call in calls) == plain.arguments
    assert chunks[-1].choices[0].finish_reason == "function_call"


def test_tools():
    tool = {"type": "function", "function": FUNCTION}
    answer = openai.ChatCompletion.create(model="gpt-4o-mini", messages=CALLING, tools=[tool])
    (call,) = answer.choices[0].message.tool_calls
    assert (answer.choices[0].finish_reason, call.function.name) == ("tool_calls", "look_up")
    assert json.loads(call.function.arguments)["count"] == 1


def test_file(target, monkeypatch):
    monkeypatch.setattr(openai, "api_key", target.file_key)
    content = b'{"prompt": "a", "completion": "b"}\n'
    made = openai.File.create(file=io.BytesIO(content), purpose="fine-tune", user_provided_filename="train.jsonl")
    assert (made.object, made.bytes, made.filename) == ("file", len(content), "train.jsonl")
    assert made.id in [file.id for file in openai.File.list().data]
    assert openai.File.retrieve(made.id).purpose == "fine-tune"
    assert openai.File.download(made.id) == content
    assert openai.File.delete(made.id).deleted


@pytest.mark.gateway
def test_file_without_the_grant():
    with pytest.raises(openai.error.PermissionError):
        openai.File.create(file=io.BytesIO(b"{}"), purpose="fine-tune")


def test_embedding():
    answer = openai.Embedding.create(model="text-embedding-3-small", input=["one", "two"])
    assert [len(entry.embedding) for entry in answer.data] == [16, 16]
    assert all(isinstance(value, float) for value in answer.data[0].embedding)


def test_embedding_by_engine():
    answer = openai.Embedding.create(engine="text-embedding-3-small", input="one")
    assert len(answer.data) == 1


def test_moderation():
    answer = openai.Moderation.create(input="kill it")  # names no model: there is a default
    assert answer.results[0].flagged


def test_image():
    answer = openai.Image.create(model="gpt-image-1", prompt="a gate")
    assert answer.data[0].b64_json


def test_models():
    assert "gpt-4o-mini" in [model.id for model in openai.Model.list().data]
    assert openai.Model.retrieve("gpt-4o-mini").id == "gpt-4o-mini"


def test_transcription(tmp_path):
    path = tmp_path / "speech.mp3"
    path.write_bytes(b"ID3" + bytes(1000))
    with path.open("rb") as audio:
        answer = openai.Audio.transcribe("whisper-1", audio)
    assert len(answer.text.split()) == 9


def test_wrong_key(monkeypatch):
    monkeypatch.setattr(openai, "api_key", "sk-wrong")
    with pytest.raises(openai.error.AuthenticationError) as caught:
        openai.ChatCompletion.create(model="gpt-4o-mini", messages=MESSAGES)
    assert caught.value.http_status == 401


@pytest.mark.gateway
def test_unknown_model():
    with pytest.raises(openai.error.InvalidRequestError) as caught:
        openai.ChatCompletion.create(model="no-such-model", messages=MESSAGES)
    assert caught.value.http_status == 404


@pytest.mark.gateway
def test_model_not_allowed():
    with pytest.raises(openai.error.PermissionError):
        openai.ChatCompletion.create(model="forbidden-model", messages=MESSAGES)


def test_bad_request():
    with pytest.raises(openai.error.InvalidRequestError) as caught:
        openai.ChatCompletion.create(model="status-400", messages=MESSAGES)
    assert caught.value.http_status == 400


def test_rate_limited_by_the_provider():
    with pytest.raises(openai.error.RateLimitError) as caught:
        openai.ChatCompletion.create(model="status-429", messages=MESSAGES)
    assert caught.value.http_status == 429


@pytest.mark.gateway
def test_limited_key(target, monkeypatch):
    monkeypatch.setattr(openai, "api_key", target.limited_key)
    with pytest.raises(openai.error.RateLimitError) as caught:
        for _ in range(4):
            openai.ChatCompletion.create(model="gpt-4o-mini", messages=MESSAGES)
    assert 1 <= float(caught.value.headers["retry-after"]) <= 59


@pytest.mark.gateway
def test_conflict_does_not_loop():
    # 0.28 repeats a 409 for ever, so the gateway must never show it one.
    with pytest.raises(openai.error.InvalidRequestError):
        openai.ChatCompletion.create(model="status-409", messages=MESSAGES, request_timeout=20)


def test_provider_fails():
    with pytest.raises(openai.error.APIError) as caught:
        openai.ChatCompletion.create(model="status-500", messages=MESSAGES)
    assert caught.value.http_status >= 500
