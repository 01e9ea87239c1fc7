"""All pictures. Nothing here computes, and nothing else draws."""
