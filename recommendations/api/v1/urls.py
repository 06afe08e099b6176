"""The routes of version 1; the hot one first."""

from django.urls import path

from recommendations.api.v1 import batches, events, imports, insights, items, people, related, usage, users
from recommendations.api.v1 import recommendations as answers

urlpatterns = [
    path("users/<str:user_id>/recommendations", answers.RecommendationsView.as_view(), name="user-recommendations"),
    path("recommendations/batch", answers.RecommendationsBatchView.as_view(), name="recommendations-batch"),
    path("recommendations/session", answers.SessionView.as_view(), name="recommendations-session"),
    path("recommendations/trending", answers.TrendingView.as_view(), name="recommendations-trending"),
    path("recommendations/latest", answers.LatestView.as_view(), name="recommendations-latest"),
    path(
        "items/<str:item_id>/frequently-bought-together",
        answers.TogetherView.as_view(),
        name="item-frequently-bought-together",
    ),
    path("recommendations/popular", answers.PopularView.as_view(), name="recommendations-popular"),
    path("items/<str:item_id>/similar", answers.SimilarItemsView.as_view(), name="item-similar"),
    path("items", items.ItemsView.as_view(), name="items"),
    path("items/batch", batches.ItemsBatchView.as_view(), name="items-batch"),
    path("items/<str:item_id>", items.ItemView.as_view(), name="item"),
    path("users", users.UsersView.as_view(), name="users"),
    path("users/batch", batches.UsersBatchView.as_view(), name="users-batch"),
    path("users/<str:user_id>", users.UserView.as_view(), name="user"),
    path("users/<str:user_id>/export", people.UserExportView.as_view(), name="user-export"),
    path("users/<str:user_id>/related", related.RelatedPeopleView.as_view(), name="user-related"),
    path("users/<str:user_id>/merge", people.UserMergeView.as_view(), name="user-merge"),
    path("insights/placements", insights.PlacementsView.as_view(), name="insights-placements"),
    path("events", events.EventsView.as_view(), name="events"),
    path("events/batch", batches.EventsBatchView.as_view(), name="events-batch"),
    path("imports", imports.ImportsView.as_view(), name="imports"),
    path("imports/<str:import_id>", imports.ImportView.as_view(), name="import"),
    path("imports/<str:import_id>/errors", imports.ImportErrorsView.as_view(), name="import-errors"),
    path("imports/<str:import_id>/cancel", imports.ImportCancelView.as_view(), name="import-cancel"),
    path("usage", usage.UsageView.as_view(), name="usage"),
]
