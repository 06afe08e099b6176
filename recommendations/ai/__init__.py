"""The AI layer: reorders a short list of candidates with a language model and says why.

It never decides whether a list exists: every failure is a `ProviderError`, after which the caller publishes the model's
own list.
"""
