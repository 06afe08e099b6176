from recommendations.admin import ai, attribution, builds, catalogue

__all__ = ["ai", "attribution", "builds", "catalogue"]
