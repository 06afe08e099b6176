"""The names of the tasks that precompute asks for; `workers/tasks/` implements each once."""

TRAIN = "build.train"
SCORE_CHUNK = "build.score_chunk"
PUBLISH = "build.publish"
PLAN_NIGHTLY = "build.plan_nightly"
RESUME_BUILDS = "build.resume"
REFRESH_POPULAR = "build.refresh_popular"
REFRESH_TENANT_POPULAR = "build.refresh_tenant_popular"
