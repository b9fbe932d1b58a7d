-- The guide's databases, roles and grants. Run by the server's administrator, who need not be a superuser (RDS gives
-- none): CREATEDB and CREATEROLE are enough. May run any number of times; passwords become those given each time.
-- The two variables hold SCRAM verifiers, not passwords, so that no log of the server can show one.
\getenv conductor_verifier CONDUCTOR_VERIFIER
\getenv app_verifier APP_VERIFIER

SELECT 'CREATE ROLE dbos_conductor_role LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dbos_conductor_role') \gexec
SELECT 'CREATE ROLE dbos_app_role LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dbos_app_role') \gexec
ALTER ROLE dbos_conductor_role LOGIN PASSWORD :'conductor_verifier';
ALTER ROLE dbos_app_role LOGIN PASSWORD :'app_verifier';

SELECT 'CREATE DATABASE dbos_conductor'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'dbos_conductor') \gexec
SELECT 'CREATE DATABASE dbos_app'
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'dbos_app') \gexec

-- PostgreSQL lets everybody connect and make temporary tables unless that is taken away.
REVOKE ALL ON DATABASE dbos_conductor, dbos_app FROM PUBLIC;
GRANT ALL PRIVILEGES ON DATABASE dbos_conductor TO dbos_conductor_role;
GRANT CONNECT ON DATABASE dbos_app TO dbos_app_role;

\connect dbos_conductor
GRANT ALL ON SCHEMA public TO dbos_conductor_role;

-- The application's role may only connect; `dbos migrate --app-role` grants it what it needs on DBOS's tables.
-- Before version 15, PostgreSQL let everybody create tables in public.
\connect dbos_app
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
\echo Databases, roles and grants are in place.
