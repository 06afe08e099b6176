from recommendations.admin import ai, attribution, builds, catalogue, experiments, privacy

__all__ = ["ai", "attribution", "builds", "catalogue", "experiments", "privacy"]
