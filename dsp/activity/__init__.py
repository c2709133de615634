"""What somebody did in a day and a week: upright and seated, rising, steps, walking bouts, and whether it was worn."""
