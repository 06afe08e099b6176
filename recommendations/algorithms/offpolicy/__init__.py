"""Off-policy evaluation: what other lists would have brought, from clicks on lists that were drawn with known chances.

Clicks are taken to follow the item-position model (Li et al., "Offline Evaluation of Ranking Policies with Click
Models", KDD 2018): whether an item is clicked depends on the user, the item and its place, and not on the rest of the
page. So a page of 20 places is 20 draws of one item each, whose probabilities are those of the item at its place, and
not one draw of an order out of 10^32.
"""
