"""The outcome of lists: impressions, clicks and conversions, joined by recommendation id and user."""
