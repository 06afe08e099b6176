"""Chooses the provider that the configuration asks for.

Importing this module imports the vendor's SDK: workers do, the read path must not.
"""

from recommendations.ai.configuration import AIConfiguration
from recommendations.ai.openai_client import OpenAIProvider
from recommendations.ai.provider import NullProvider, Provider
from recommendations.ai.retry import RetryingProvider


def build_provider(config: AIConfiguration) -> Provider:
    """Return the OpenAI client with retries, or the null provider where no key is set.

    Build it once per process and share it: it keeps connections alive, and starts its thread at the first call.
    """
    if not config.configured:
        return NullProvider()
    return RetryingProvider(OpenAIProvider(config))
