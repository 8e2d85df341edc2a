"""openai-python 1.x and later: chat, completions, responses."""

import asyncio
import json

import openai

MODEL = "gpt-4o-mini"
MESSAGES = [{"role": "user", "content": "Say something about gateways."}]
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}},
}
CALLING = [{"role": "user", "content": "Please call tool look_up."}]


def joined(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_chat_plain(client):
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.object == "chat.completion"
    assert answer.model == MODEL
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == len(answer.choices[0].message.content.split())
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id


def test_chat_several_choices(client):
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]


def test_chat_unicode_and_token_limit(client):
    messages = [{"role": "user", "content": "naïve 日本語 🙂 \u2028 \"quoted\""}]
    answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=3)
    assert answer.usage.completion_tokens == 3
    assert answer.choices[0].finish_reason == "length"


def test_chat_stream_equals_plain(client):
    plain = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    chunks = list(client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True))
    assert joined(chunks) == plain.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.choices and chunk.usage is None for chunk in chunks), "usage was not asked for"
    assert all("usage" not in chunk.model_fields_set for chunk in chunks), "not even as null"


def test_chat_stream_with_usage(client):
    stream = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(joined(chunks).split())
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_chat_stream_left_early(client):
    with client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
        first = next(iter(stream))
    assert first.choices[0].delta.role == "assistant"
    assert client.chat.completions.create(model=MODEL, messages=MESSAGES).choices


def test_chat_async_plain_and_stream(target):
    async def both():
        async with openai.AsyncOpenAI(base_url=target.base_url, api_key=target.key, max_retries=0) as client:
            plain = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
            stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
            return plain, [chunk async for chunk in stream]

    plain, chunks = asyncio.run(both())
    assert joined(chunks) == plain.choices[0].message.content


def test_chat_async_many_at_once(target):
    async def many():
        async with openai.AsyncOpenAI(base_url=target.base_url, api_key=target.key, max_retries=0) as client:
            questions = [[{"role": "user", "content": f"Question {i}"}] for i in range(16)]
            calls = [client.chat.completions.create(model=MODEL, messages=messages) for messages in questions]
            return await asyncio.gather(*calls)

    answers = asyncio.run(many())
    assert len({answer.choices[0].message.content for answer in answers}) > 8, "answers were mixed up"


def test_tools_plain(client):
    answer = client.chat.completions.create(model=MODEL, messages=CALLING, tools=[TOOL])
    (call,) = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    assert call.function.name == "look_up"
    assert json.loads(call.function.arguments)["count"] == 1


def test_tools_streamed(client):
    plain = client.chat.completions.create(model=MODEL, messages=CALLING, tools=[TOOL])
    chunks = list(client.chat.completions.create(model=MODEL, messages=CALLING, tools=[TOOL], stream=True))
    pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert [piece.id for piece in pieces if piece.id] == [plain.choices[0].message.tool_calls[0].id]
    assert len(pieces) > 3
    arguments = "".join(piece.function.arguments for piece in pieces)
    assert arguments == plain.choices[0].message.tool_calls[0].function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_tools_answered(client):
    call = client.chat.completions.create(model=MODEL, messages=CALLING, tools=[TOOL]).choices[0].message
    result = {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "found it"}
    answer = client.chat.completions.create(model=MODEL, messages=[*CALLING, call, result], tools=[TOOL])
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content


def test_legacy_completions(client):
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon a time", max_tokens=5)
    assert answer.object == "text_completion"
    assert len(answer.choices[0].text.split()) == 5 == answer.usage.completion_tokens


def test_legacy_completions_of_a_chat_model(client):
    request = {"model": "text-davinci-003", "prompt": "Once upon a time", "max_tokens": 5}
    answer = client.completions.create(**request)
    chunks = list(client.completions.create(**request, stream=True))
    assert answer.object == "text_completion"
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == answer.choices[0].text


def test_responses_plain(client):
    answer = client.responses.create(model=MODEL, input="Say something.", store=False)
    assert answer.status == "completed"
    assert answer.usage.output_tokens == len(answer.output_text.split())
    assert answer._request_id


def test_responses_stream(client):
    plain = client.responses.create(model=MODEL, input="Say something.", store=False)
    events = list(client.responses.create(model=MODEL, input="Say something.", store=False, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == plain.output_text == events[-1].response.output_text
    assert events[-1].response.usage.total_tokens == plain.usage.total_tokens


def test_responses_tool(client):
    tool = {"type": "function", "name": "look_up", "parameters": TOOL["function"]["parameters"], "strict": False}
    answer = client.responses.create(model=MODEL, input="Please call tool look_up.", tools=[tool], store=False)
    (item,) = answer.output
    assert item.type == "function_call"
    assert json.loads(item.arguments)["count"] == 1


def test_responses_stored(file_client):
    answer = file_client.responses.create(model=MODEL, input="Keep this.")
    assert file_client.responses.retrieve(answer.id).output_text == answer.output_text
    file_client.responses.delete(answer.id)
