import openai
import pytest


@pytest.fixture
def client(target):
    with openai.OpenAI(base_url=target.base_url, api_key=target.key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def file_client(target):
    with openai.OpenAI(base_url=target.base_url, api_key=target.file_key, max_retries=0, timeout=30) as client:
        yield client
