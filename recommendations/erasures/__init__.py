"""The log of erased people: who may not come back with an old file or an old dump, without saying who it was."""
