"""How much both arms are used, and how they swing while walking: from a sensor on each wrist."""
