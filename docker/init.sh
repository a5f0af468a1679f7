# Makes the cluster's secrets on first use and gives each service its own, readable by the user it runs as and nobody
# else. Runs in PostgreSQL's image, which knows that user's number. The originals stay where only root reads them.
set -euo pipefail
umask 077
cd /volumes
postgres=$(id -u postgres)
tuner=10001

secret() { # NAME: make it unless it is there
    if [ -s "secrets/$1" ]; then return; fi
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$1.new"
    mv "secrets/$1.new" "secrets/$1"
}

give() { # USER FILE: put standard input there for that user
    cat >"$2.new"
    chown "$1" "$2.new"
    mv -f "$2.new" "$2"
}

pgpass() { # NAME...: the password file of clients that connect as NAME to the database of that name
    local name
    for name; do echo "*:*:$name:$name:$(cat "secrets/postgres_$name")"; done
}

for name in ray_token postgres_postgres postgres_tuner postgres_mlflow mlflow_admin mlflow_tuner flask_key; do
    secret "$name"
done

for name in postgres tuner mlflow; do give "$postgres" "postgres-secrets/$name" <"secrets/postgres_$name"; done
give "$tuner" ray-secrets/token <secrets/ray_token
give "$tuner" mlflow-secrets/flask_key <secrets/flask_key
pgpass mlflow | give "$tuner" mlflow-secrets/pgpass
give "$tuner" driver-secrets/mlflow_password <secrets/mlflow_tuner
pgpass tuner | give "$tuner" driver-secrets/pgpass
for name in mlflow_admin mlflow_tuner; do give "$tuner" "migrate-secrets/$name" <"secrets/$name"; done
pgpass tuner mlflow | give "$tuner" migrate-secrets/pgpass

chown "$postgres" databases sockets
chown "$tuner" artifacts home
