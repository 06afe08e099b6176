"""What the law gives a person: to be forgotten, in every slice."""
