from recommendations.admin import ai, attribution, builds, catalogue, experiments, placements, privacy

__all__ = ["ai", "attribution", "builds", "catalogue", "experiments", "placements", "privacy"]
