"""Builds the configured provider and the gateway around it.

Importing this module imports the vendor's SDK: workers do, the read path must not.
"""

from dataclasses import replace
from datetime import date

from django.core.exceptions import ImproperlyConfigured

from recommendations.ai.batch.context import BatchContext
from recommendations.ai.batch.guarded_client import GuardedBatchProvider
from recommendations.ai.budget.alerts import STAFF_HOOKS
from recommendations.ai.budget.reservations import Budget
from recommendations.ai.config.prices import UnknownModel
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.gateway import instrumentation
from recommendations.ai.gateway.gateway import AIGateway
from recommendations.ai.gateway.guarded_call import GatewayDependencies
from recommendations.ai.protocol import NullProvider
from recommendations.ai.providers.openai_batches import OpenAIBatches
from recommendations.ai.providers.openai_chat import OpenAIProvider
from recommendations.ai.providers.openai_embeddings import OpenAIEmbeddings
from recommendations.ai.providers.retry import RetryPolicy
from recommendations.ai.resilience.rate_limiter import RateLimiter


def build_batch_context(config: AIConfiguration, *, today: date) -> BatchContext:
    """Return the clients and limits for handling batches. Close it after use.

    Raises:
        UnknownModel: the model has no price.
    """
    return BatchContext(
        batches=GuardedBatchProvider(
            OpenAIBatches(config),
            breaker=instrumentation.instrumented_breaker(config),
            rate_limiter=_rate_limiter(config),
        ),
        provider=OpenAIProvider(config),
        budget=Budget(limits=config.budget, hooks=STAFF_HOOKS),
        price=config.prices.price(config.model, on=today),
        origin=config.origin,
    )


def build_embedder(config: AIConfiguration, *, today: date) -> AIGateway:
    """Return the gateway to the embedding model, with a breaker and a rate limiter of its own.

    Raises:
        ImproperlyConfigured: there is no key or no such model, or it has no price.
    """
    if not config.configured or not config.embedding_model:
        raise ImproperlyConfigured("vectors need OPENAI_API_KEY and AI_EMBEDDING_MODEL")
    own = replace(config, model=config.embedding_model)
    gateway = build_gateway(own, today=today)
    return gateway.with_provider(OpenAIEmbeddings(own))


def build_gateway(config: AIConfiguration, *, today: date, retries: RetryPolicy | None = None) -> AIGateway:
    """Return the gateway with all its guards. Build it once per process and share it.

    Raises:
        ImproperlyConfigured: a key is set and the model has no price.
    """
    if config.configured:
        try:
            config.prices.price(config.model, on=today)
        except UnknownModel as error:
            raise ImproperlyConfigured(str(error)) from error
    return AIGateway(
        GatewayDependencies(
            provider=OpenAIProvider(config) if config.configured else NullProvider(),
            prices=config.prices,
            budget=Budget(limits=config.budget, hooks=STAFF_HOOKS),
            breaker=instrumentation.instrumented_breaker(config),
            rate_limiter=_rate_limiter(config),
            origin=config.origin,
        ),
        origin=config.origin,
        timeout_seconds=config.timeout_seconds,
        # Each attempt may be charged: none is begun that would likely be cut off.
        retries=retries or RetryPolicy(useful_seconds=config.timeout_seconds / 4),
    )


def _rate_limiter(config: AIConfiguration) -> RateLimiter:
    return RateLimiter(provider=config.origin, model=config.model, limits=config.limits)
