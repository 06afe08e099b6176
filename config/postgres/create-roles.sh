#!/bin/sh
# Makes the database and its two roles on a new cluster: docent_owner owns the tables and migrates them, docent_app
# works with them under row-level security. Run once, as a superuser, by the PostgreSQL image, or by hand:
#   PGUSER=postgres OWNER_PASSWORD_FILE=... APP_PASSWORD_FILE=... config/postgres/create-roles.sh
# Passwords travel through psql's input, not through its command line, which every process may read.
set -eu

owner_password=$(cat "${OWNER_PASSWORD_FILE:-/run/secrets/docent_owner_password}")
app_password=$(cat "${APP_PASSWORD_FILE:-/run/secrets/docent_app_password}")
for password in "$owner_password" "$app_password"; do
    case $password in
        "" | *[!A-Za-z0-9_-]*) echo "A password must be one line of A-Z a-z 0-9 _ - (it stands in a URL)." >&2; exit 1 ;;
    esac
done

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-${PGUSER:-postgres}}" --dbname postgres <<SQL
CREATE ROLE docent_owner LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB PASSWORD '$owner_password';
CREATE ROLE docent_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB PASSWORD '$app_password';
-- Statements hold people's data, which erasing them does not take out of the server's log.
ALTER ROLE docent_app SET log_min_error_statement = panic;
ALTER ROLE docent_app SET log_parameter_max_length_on_error = 0;
ALTER ROLE docent_app SET log_parameter_max_length = 0;
ALTER ROLE docent_app SET log_error_verbosity = terse;
CREATE DATABASE docent OWNER docent_owner;
REVOKE ALL ON DATABASE docent FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE docent TO docent_app;
SQL
