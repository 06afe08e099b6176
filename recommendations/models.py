"""Every model of the slices, gathered where Django looks for them."""

from recommendations.ai.models import (
    AIAnswer,
    AIBatch,
    AIBatchQuestion,
    AIBudget,
    AICall,
    AIFallbackStat,
    AIGate,
    AIGlobalBudget,
    AILimit,
    AIRelease,
    AIReservation,
    AISent,
    AIVector,
)
from recommendations.attribution.models import Exposure, Impression, ImpressionBatch, ItemStat, PlacementStat
from recommendations.catalog.models import EndUser, Item
from recommendations.erasures.models import Erasure, FormerId
from recommendations.experiments.models import Experiment, ExperimentArm
from recommendations.imports.models import Import, ImportRowError
from recommendations.interactions.models import EventType, Feedback, Interaction
from recommendations.pipeline.models import (
    Artefact,
    Build,
    Chunk,
    FreshItem,
    ReferenceList,
    RelatedPeople,
    Tuning,
    UserList,
)
from recommendations.placements.models import Placement, PlacementVersion

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
    "Artefact",
    "Build",
    "Chunk",
    "EndUser",
    "Erasure",
    "EventType",
    "Experiment",
    "ExperimentArm",
    "Exposure",
    "Feedback",
    "FormerId",
    "FreshItem",
    "Import",
    "ImportRowError",
    "Impression",
    "ImpressionBatch",
    "Interaction",
    "Item",
    "ItemStat",
    "Placement",
    "PlacementStat",
    "PlacementVersion",
    "ReferenceList",
    "RelatedPeople",
    "Tuning",
    "UserList",
]
