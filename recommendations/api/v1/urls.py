"""The routes of version 1; the hot one first."""

from django.urls import path

from recommendations.api.v1 import recommendations as answers

urlpatterns = [
    path("users/<str:user_id>/recommendations", answers.RecommendationsView.as_view(), name="user-recommendations"),
    path("recommendations/batch", answers.RecommendationsBatchView.as_view(), name="recommendations-batch"),
    path("recommendations/popular", answers.PopularView.as_view(), name="recommendations-popular"),
    path("items/<str:item_id>/similar", answers.SimilarItemsView.as_view(), name="item-similar"),
]
