"""openai-python 1.x and later: everything that is no conversation."""

import base64
import io

import openai
import pytest

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def test_embeddings_base64_equals_float(client):
    texts = ["first text", "second text"]
    default = client.embeddings.create(model="text-embedding-3-small", input=texts)
    floats = client.embeddings.create(model="text-embedding-3-small", input=texts, encoding_format="float")
    assert [entry.index for entry in default.data] == [0, 1]
    assert default.data[0].embedding == pytest.approx(floats.data[0].embedding)
    assert default.data[0].embedding != default.data[1].embedding
    assert default.usage.prompt_tokens == floats.usage.prompt_tokens > 0


def test_embeddings_of_tokens(client):
    answer = client.embeddings.create(model="text-embedding-3-small", input=[[1, 2, 3], [4, 5]], dimensions=8)
    assert [len(entry.embedding) for entry in answer.data] == [8, 8]
    assert answer.usage.prompt_tokens == 5


def test_images_generate(client):
    answer = client.images.generate(model="gpt-image-1", prompt="a gate", n=2)
    assert [base64.b64decode(image.b64_json)[:4] for image in answer.data] == [b"\x89PNG"] * 2
    assert answer.usage.output_tokens > 0


def test_images_edit(client):
    answer = client.images.edit(model="gpt-image-1", image=("gate.png", io.BytesIO(PNG), "image/png"), prompt="open it")
    assert base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG")


def test_speech_is_binary(client):
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input="Good morning")
    octets = answer.read()
    assert octets.startswith(b"ID3")
    assert len(octets) == 2048
    assert answer.response.headers["content-type"] == "audio/mpeg"


def test_speech_streamed(client, tmp_path):
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="Hello") as answer:
        answer.stream_to_file(tmp_path / "speech.mp3")
    assert (tmp_path / "speech.mp3").stat().st_size == 2048


def test_transcription(client):
    audio = ("speech.mp3", io.BytesIO(b"ID3" + bytes(range(256)) * 40), "audio/mpeg")
    answer = client.audio.transcriptions.create(model="whisper-1", file=audio)
    assert len(answer.text.split()) == 9


def test_transcription_as_text(client):
    audio = ("speech.mp3", io.BytesIO(b"ID3" + bytes(1000)), "audio/mpeg")
    answer = client.audio.transcriptions.create(model="whisper-1", file=audio, response_format="text")
    assert len(answer.split()) == 9


def test_moderations(client):
    answer = client.moderations.create(model="omni-moderation-latest", input=["kill it", "be kind"])
    assert [result.flagged for result in answer.results] == [True, False]
    assert answer.results[0].categories.violence


def test_models_list_and_retrieve(client):
    models = {model.id for model in client.models.list()}
    assert {"gpt-4o-mini", "text-embedding-3-small"} <= models
    model = client.models.retrieve("gpt-4o-mini")
    assert (model.id, model.object) == ("gpt-4o-mini", "model")


def test_files_whole_life(file_client):
    content = b'{"custom_id": "1"}\r\n--not-a-boundary\r\n\x00\xff'
    created = file_client.files.create(file=("lines.jsonl", content), purpose="user_data")
    assert (created.object, created.filename, created.bytes) == ("file", "lines.jsonl", len(content))
    assert created.id in [file.id for file in file_client.files.list()]
    assert file_client.files.retrieve(created.id).purpose == "user_data"
    assert file_client.files.content(created.id).read() == content
    assert file_client.files.delete(created.id).deleted
    with pytest.raises(openai.NotFoundError):
        file_client.files.retrieve(created.id)


def test_large_file(file_client):
    content = bytes(range(256)) * 8192  # 2 MiB
    created = file_client.files.create(file=("large.bin", content), purpose="user_data")
    assert file_client.files.content(created.id).read() == content
    file_client.files.delete(created.id)


def test_vector_store(file_client):
    store = file_client.vector_stores.create(name="shelf")
    assert file_client.vector_stores.retrieve(store.id).name == "shelf"
    assert file_client.vector_stores.delete(store.id).deleted


@pytest.mark.gateway
def test_files_without_the_route(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.files.list()
    assert caught.value.status_code in (403, 404)
