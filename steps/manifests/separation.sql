-- Run as dbos_app_role: everything here that changes the schema must be refused (guide §10, "Privilege Separation").
DO $$
DECLARE
    attempt text;
BEGIN
    FOREACH attempt IN ARRAY ARRAY[
        'CREATE TABLE public.podium_probe (id integer)',
        'CREATE TABLE dbos.podium_probe (id integer)',
        'CREATE SCHEMA podium_probe',
        'CREATE TEMPORARY TABLE podium_probe (id integer)',
        'ALTER TABLE dbos.workflow_status ADD COLUMN podium_probe integer'
    ] LOOP
        BEGIN
            EXECUTE attempt;
        EXCEPTION
            -- Before the migration there is no schema dbos to change.
            WHEN insufficient_privilege OR invalid_schema_name OR undefined_table THEN
                RAISE NOTICE 'refused, as it must be: %', attempt;
                CONTINUE;
        END;
        RAISE EXCEPTION 'dbos_app_role is allowed to: %', attempt;
    END LOOP;
END
$$;
\echo The application role cannot change the schema.
