from recommendations.admin import ai, attribution, builds, catalogue, privacy

__all__ = ["ai", "attribution", "builds", "catalogue", "privacy"]
