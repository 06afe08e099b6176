"""The routes of version 1; the most frequent one first.

Ids in paths may contain slashes: some servers pass the path decoded, so that `a%2Fb` and `a/b` are the same. The
converter is greedy, no id may end in the name of a sub-resource (`core.external_ids.SUB_RESOURCES`), and routes that
end in an id come after those that continue.
"""

from django.urls import path, register_converter

from recommendations.api.v1 import (
    batches,
    events,
    imports,
    insights,
    items,
    lists,
    rank,
    session,
    similar_users,
    usage,
    user_privacy,
    users,
)
from recommendations.api.v1 import recommendations as answers


class ExternalId:
    """The longest possible part of the path; the view validates it as an id."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ExternalId, "external_id")

urlpatterns = [
    path(
        "users/<external_id:user_id>/recommendations",
        answers.RecommendationsView.as_view(),
        name="user-recommendations",
    ),
    path("users/<external_id:user_id>/rank", rank.RankView.as_view(), name="user-rank"),
    path("recommendations/batch", answers.RecommendationsBatchView.as_view(), name="recommendations-batch"),
    path("recommendations/session", session.SessionView.as_view(), name="recommendations-session"),
    path("recommendations/trending", lists.TrendingView.as_view(), name="recommendations-trending"),
    path("recommendations/latest", lists.LatestView.as_view(), name="recommendations-latest"),
    path(
        "items/<external_id:item_id>/frequently-bought-together",
        lists.TogetherView.as_view(),
        name="item-frequently-bought-together",
    ),
    path("recommendations/popular", lists.PopularView.as_view(), name="recommendations-popular"),
    path("items/<external_id:item_id>/similar", lists.SimilarItemsView.as_view(), name="item-similar"),
    path("items", items.ItemsView.as_view(), name="items"),
    path("items/batch", batches.ItemsBatchView.as_view(), name="items-batch"),
    path("items/<external_id:item_id>", items.ItemView.as_view(), name="item"),
    path("users", users.UsersView.as_view(), name="users"),
    path("users/batch", batches.UsersBatchView.as_view(), name="users-batch"),
    path("users/<external_id:user_id>/export", user_privacy.UserExportView.as_view(), name="user-export"),
    path("users/<external_id:user_id>/related", similar_users.RelatedPeopleView.as_view(), name="user-related"),
    path("users/<external_id:user_id>/merge", user_privacy.UserMergeView.as_view(), name="user-merge"),
    path("users/<external_id:user_id>", users.UserView.as_view(), name="user"),
    path("insights/placements", insights.PlacementsView.as_view(), name="insights-placements"),
    path("events", events.EventsView.as_view(), name="events"),
    path("events/batch", batches.EventsBatchView.as_view(), name="events-batch"),
    path("imports", imports.ImportsView.as_view(), name="imports"),
    path("imports/<str:import_id>", imports.ImportView.as_view(), name="import"),
    path("imports/<str:import_id>/errors", imports.ImportErrorsView.as_view(), name="import-errors"),
    path("imports/<str:import_id>/cancel", imports.ImportCancelView.as_view(), name="import-cancel"),
    path("usage", usage.UsageView.as_view(), name="usage"),
]
