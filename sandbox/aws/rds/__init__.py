"""RDS as moto has it, with states, checks, and a PostgreSQL server behind every instance."""
