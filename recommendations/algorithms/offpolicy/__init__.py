"""Off-policy evaluation: the clicks of other lists, estimated from lists that were drawn with known propensities.

Clicks are assumed to follow the item-position model (Li et al., "Offline Evaluation of Ranking Policies with Click
Models", KDD 2018): whether an item is clicked depends on the user, the item and its position, and not on the rest of
the page. So a page of 20 positions is 20 draws of one item each, with the propensity of the item at its position, and
not one draw of an order out of 10^32.
"""
