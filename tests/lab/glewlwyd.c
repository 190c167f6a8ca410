// See glewlwyd.h. It is configured as its package does it, by SQL; the admin API needs a session.
#include "tests/lab/glewlwyd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_MS 20000
#define SCHEMA   "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
#define MODULES  "/usr/lib/glewlwyd"

struct lab_glewlwyd {
    struct lab_node *node;
    struct lab_process *process;
    uint16_t port;
};

// The client's properties that count; `region` is one of ours.
static const char client_sql[] =
    "UPDATE g_client_module_instance SET gcmi_parameters = '{\"use-glewlwyd-connection\":true,"
    "\"data-format\":{"
    "\"authorization_type\":{\"multiple\":true,\"read\":true,\"write\":true},"
    "\"token_endpoint_auth_method\":{\"multiple\":true,\"read\":true,\"write\":true},"
    "\"client_secret\":{\"multiple\":false,\"read\":true,\"write\":true},"
    "\"region\":{\"multiple\":false,\"read\":true,\"write\":true}}}';\n"
    "INSERT INTO g_client (gc_client_id, gc_confidential) VALUES ('" LAB_GLEWLWYD_CLIENT "', 1);\n"
    "INSERT INTO g_client_property (gc_id, gcp_name, gcp_value) SELECT gc_id, n, v FROM g_client, "
    "(SELECT 'client_secret' n, '" LAB_GLEWLWYD_SECRET "' v "
    "UNION SELECT 'authorization_type', 'client_credentials' "
    "UNION SELECT 'token_endpoint_auth_method', 'client_secret_basic' "
    "UNION SELECT 'token_endpoint_auth_method', 'client_secret_post' "
    "UNION SELECT 'region', '');\n"
    "INSERT INTO g_client_scope (gcs_name) VALUES ('probe');\n"
    "INSERT INTO g_client_scope_client (gc_id, gcs_id) SELECT gc_id, gcs_id FROM g_client, "
    "g_client_scope;\n"
    "INSERT INTO g_plugin_module_instance (gpmi_module, gpmi_name) VALUES ('oidc', 'oidc');\n";

static const char plugin_parameters[] =
    "{\"iss\":\"" LAB_GLEWLWYD_ISSUER "\",\"access-token-duration\":600,"
    "\"refresh-token-duration\":600,\"code-duration\":60,\"allow-non-oidc\":true,"
    "\"auth-type-client-enabled\":true,\"auth-type-code-enabled\":false,"
    "\"auth-type-token-enabled\":false,\"auth-type-id-token-enabled\":false,"
    "\"auth-type-none-enabled\":false,\"auth-type-password-enabled\":false,"
    "\"auth-type-refresh-enabled\":false,\"introspection-revocation-allowed\":true,"
    "\"introspection-revocation-allow-target-client\":true,\"jwks-show\":true,"
    "\"additional-parameters\":[{\"user-parameter\":\"region\",\"client-parameter\":\"region\","
    "\"token-parameter\":\"region\"}]}";

static void run_sql(struct lab_node *node, const char *sql)
{
    char database[LAB_PATH_MAX];
    char output[1024];

    if (lab_run(node, LAB_ARGV("sqlite3", "-bail", lab_path(node, "glewlwyd.db", database), sql),
                output, sizeof output) != 0) {
        lab_fail("glewlwyd: sqlite3 %s: %s", database, output);
    }
}

static void set_key(struct lab_node *node, const json_t *key)
{
    char sql[8192];
    json_t *parameters = mint_require(json_loads(plugin_parameters, 0, NULL));
    json_t *set = mint_require(json_pack("{s:[O]}", "keys", key));
    char *set_text = mint_require(json_dumps(set, JSON_COMPACT));

    json_object_set_new(parameters, "jwks-private", json_string(set_text));
    json_object_set(parameters, "default-kid", json_object_get(key, "kid"));
    char *text = mint_require(json_dumps(parameters, JSON_COMPACT));
    snprintf(sql, sizeof sql, "UPDATE g_plugin_module_instance SET gpmi_parameters = '%s'", text);
    run_sql(node, sql);
    free(text);
    free(set_text);
    json_decref(set);
    json_decref(parameters);
}

static void set_region(struct lab_node *node, const char *region)
{
    char sql[256];

    snprintf(sql, sizeof sql,
             "UPDATE g_client_property SET gcp_value = '%s' WHERE gcp_name = 'region'", region);
    run_sql(node, sql);
}

// Its log says that it has started before it listens.
static bool listens(const struct lab_glewlwyd *glewlwyd)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(glewlwyd->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = lab_socket(glewlwyd->node, AF_INET, SOCK_STREAM);
    bool connected = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;

    close(fd);
    return connected;
}

static void wait_till_it_serves(const struct lab_glewlwyd *glewlwyd)
{
    LAB_WAIT(listens(glewlwyd) || !lab_running(glewlwyd->process), "glewlwyd to serve", START_MS);
    if (!lab_running(glewlwyd->process)) {
        lab_fail("start glewlwyd: it ended with status %d, see its log",
                 lab_wait_exit(glewlwyd->process, 0));
    }
}

void lab_glewlwyd_set_region(struct lab_glewlwyd *glewlwyd, const char *region)
{
    set_region(glewlwyd->node, region);
}

struct lab_process *lab_glewlwyd_process(struct lab_glewlwyd *glewlwyd)
{
    return glewlwyd->process;
}

void lab_glewlwyd_restart(struct lab_glewlwyd *glewlwyd)
{
    lab_kill(glewlwyd->process);
    lab_respawn(glewlwyd->process);
    wait_till_it_serves(glewlwyd);
}

void lab_glewlwyd_rotate(struct lab_glewlwyd *glewlwyd, const json_t *key)
{
    lab_kill(glewlwyd->process);
    set_key(glewlwyd->node, key);
    lab_glewlwyd_restart(glewlwyd);
}

struct lab_glewlwyd *lab_glewlwyd_start(struct lab_node *node, uint16_t port, const json_t *key,
                                        const char *region)
{
    struct lab_glewlwyd *glewlwyd = mint_require(calloc(1, sizeof *glewlwyd));
    char conf[2048];
    char path[LAB_PATH_MAX];

    run_sql(node, ".read " SCHEMA);
    run_sql(node, client_sql);
    set_key(node, key);
    set_region(node, region);
    snprintf(conf, sizeof conf,
             "port = %u\nexternal_url = \"" LAB_GLEWLWYD_ISSUER "\"\nlogin_url = \"login.html\"\n"
             "api_prefix = \"api\"\ncookie_domain = \"localhost\"\nlog_mode = \"console\"\n"
             "log_level = \"INFO\"\nadmin_scope = \"g_admin\"\nprofile_scope = \"g_profile\"\n"
             "user_module_path = \"" MODULES "/user\"\n"
             "user_middleware_module_path = \"" MODULES "/user_middleware\"\n"
             "client_module_path = \"" MODULES "/client\"\n"
             "user_auth_scheme_module_path = \"" MODULES "/scheme\"\n"
             "plugin_module_path = \"" MODULES "/plugin\"\nhash_algorithm = \"SHA512\"\n"
             "database = { type = \"sqlite3\" path = \"%s\" };\n",
             port, lab_path(node, "glewlwyd.db", path));
    lab_write(node, "glewlwyd.conf", conf);
    struct lab_command command = {
        .name = "glewlwyd",
        .argv = LAB_ARGV("glewlwyd", "-c", lab_path(node, "glewlwyd.conf", path)),
    };
    *glewlwyd = (struct lab_glewlwyd){node, lab_spawn(node, &command), port};
    lab_at_clear(free, glewlwyd);
    wait_till_it_serves(glewlwyd);
    return glewlwyd;
}
