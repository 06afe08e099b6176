"""Tables of AI: budgets and ledger, sharing consent and request log, uplift gate, batches, embeddings."""

from recommendations.ai.models.batch import AIBatch, AIBatchQuestion
from recommendations.ai.models.gate import AIGate
from recommendations.ai.models.money import (
    AIAnswer,
    AIBudget,
    AICall,
    AIFallbackStat,
    AIGlobalBudget,
    AILimit,
    AIReservation,
    BudgetCounters,
    Period,
)
from recommendations.ai.models.privacy import AIRelease, AISent
from recommendations.ai.models.vectors import AIVector

__all__ = [
    "AIAnswer",
    "AIBatch",
    "AIBatchQuestion",
    "AIBudget",
    "AICall",
    "AIFallbackStat",
    "AIGate",
    "AIGlobalBudget",
    "AILimit",
    "AIRelease",
    "AIReservation",
    "AISent",
    "AIVector",
    "BudgetCounters",
    "Period",
]
