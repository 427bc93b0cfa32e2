"""The variables of Dagster's own: its database, and the bucket for what runs print."""

from psycopg import sql

from batch_exports.local import postgres_server, seaweedfs


def instance_env(
    s3: seaweedfs.Server, postgres: postgres_server.Server, bucket: str, database: str = "dagster"
) -> dict[str, str]:
    """What a user writes into .env, of a database that is made by this."""
    owner = postgres.exporter
    with postgres.connect(autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(create.format(sql.Identifier(database), sql.Identifier(owner.user)))
    return {
        "DAGSTER_POSTGRES_HOST": postgres.host,
        "DAGSTER_POSTGRES_PORT": str(postgres.port),
        "DAGSTER_POSTGRES_DATABASE": database,
        "DAGSTER_POSTGRES_USER": owner.user,
        "DAGSTER_POSTGRES_PASSWORD": owner.password,
        "COMPUTE_LOGS_BUCKET": bucket,
        "COMPUTE_LOGS_REGION": "us-east-1",
        "COMPUTE_LOGS_ENDPOINT": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.admin.secret_access_key,
    }
