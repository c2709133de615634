"""Whether this machine can do the job: facts, files and services, judged."""
