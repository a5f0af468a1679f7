"""What a study came to, for people: figures and the report that holds them."""
