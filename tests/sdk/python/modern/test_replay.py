"""Answers from the cache in the form in which they did not come: the client's own accumulators rebuild the same object."""

import openai
import pytest

pytestmark = pytest.mark.gateway
MODEL = "cached:rich"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("look_up", "weather")
]
QUESTIONS = {
    "text": {"messages": [{"role": "user", "content": "Replay words."}]},
    "logprobs": {"messages": [{"role": "user", "content": "Replay words."}], "logprobs": True},
    "choices": {"messages": [{"role": "user", "content": "Replay words."}], "n": 2},
    "refusal": {"messages": [{"role": "user", "content": "Replay no."}], "model": "cached:refuse"},
    "tools": {"messages": [{"role": "user", "content": "Replay: call tools."}], "tools": TOOLS},
}


def streamed(client, **question):
    stream = getattr(client.chat.completions, "stream", None) or client.beta.chat.completions.stream
    with stream(stream_options={"include_usage": True}, **question) as events:
        return events.get_final_completion()


def said(answer):
    """Without what differs from one time to the next, what the accumulators add, and what says nothing: null in one form is
    absent in the other, and a stream begins every message with empty content."""
    if isinstance(answer, dict):
        fresh = ("id", "created") if "choices" in answer else ("index",) if "function" in answer else ()
        kept = {name: said(value) for name, value in answer.items() if name not in (*fresh, "parsed", "parsed_arguments")}
        return {name: value for name, value in kept.items() if value not in (None, [], "")}
    return [said(value) for value in answer] if isinstance(answer, list) else answer


def status_of(client, **question):
    raw = client.chat.completions.with_raw_response.create(**question)
    return raw.headers["cache-status"], raw.parse()


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("first", ["json", "stream"])
def test_chat_is_the_same_from_either_form(client, name, first):
    # Each version of the client asks its own questions, so that its first answer is none of another's.
    question = {"model": MODEL, "stop": [f"{openai.__version__} {first}"], **QUESTIONS[name]}
    if first == "json":
        status, direct = status_of(client, **question)
        assert "hit" not in status
        told = streamed(client, **question)
    else:
        direct = streamed(client, **question)
        status, told = status_of(client, **question)
        assert "hit" in status
    assert said(told.model_dump()) == said(direct.model_dump())
    assert told.usage == direct.usage
    assert told.id != direct.id
    status, again = status_of(client, **question)
    assert "hit" in status
    assert said(again.model_dump()) == said(direct.model_dump())
    assert said(streamed(client, **question).model_dump()) == said(direct.model_dump())


def test_response_is_the_same_as_a_stream(client):
    question = {"model": MODEL, "input": f"Replay to {openai.__version__}.", "store": False}
    direct = client.responses.create(**question)
    with client.responses.stream(**question) as events:
        kinds = [event.type for event in events]
        told = events.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert told.id != direct.id
    assert told.output_text == direct.output_text
    assert told.usage == direct.usage
    assert [item.id for item in told.output] == [item.id for item in direct.output]
