from recommendations.admin import builds, catalogue

__all__ = ["builds", "catalogue"]
