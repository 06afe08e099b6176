from recommendations.admin import ai, builds, catalogue

__all__ = ["ai", "builds", "catalogue"]
