// See trio.h. Breaking leaves every process and socket alone: unbound and nginx load another
// configuration (SIGHUP), Glewlwyd reads its database for each token.
#include "tests/lab/trio.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_S      INT64_C(86400)
#define WEB_NAME   "web.example.net"
#define WEB_HOST   "192.0.2.80"
#define LOGIN_HOST "192.0.2.90"

const char *const trio_names[] = {"dns", "web", "login"};
const char *const trio_prefixes[] = {POP_V4, TRIO_WEB_V4, TRIO_LOGIN_V4};
const char *const trio_probes[] = {"dns4", "web-tls", "login-token"};

static const struct trio_ports usual_ports = {{53, 443, 80}};

static const char nginx_http[] = "server { listen " WEB_HOST ":443 ssl; server_name " WEB_NAME ";\n"
                                 "  ssl_certificate web.pem; ssl_certificate_key web.key;\n"
                                 "  location / { return 200 \"hello\"; } }\n";

static void write_certificate(const struct trio *trio, bool expired)
{
    struct lab_cert *leaf = lab_cert(&(struct lab_cert_options){
        .name = WEB_NAME,
        .names = "DNS:" WEB_NAME,
        .issuer = trio->authority,
        .begins_s = expired ? -93 * DAY_S : 0,
        .ends_s = expired ? -3 * DAY_S - 60 : 0,
    });

    lab_cert_write(trio->pop->node, "web.pem", LAB_CERTS(leaf));
    lab_cert_write_key(trio->pop->node, "web.key", leaf);
}

static void start_web(struct trio *trio)
{
    trio->authority =
        lab_cert(&(struct lab_cert_options){.name = "Example Root", .authority = true});
    lab_cert_write(trio->pop->node, "ca.pem", LAB_CERTS(trio->authority));
    write_certificate(trio, false);
    lab_address_add(trio->pop->node, TRIO_WEB_V4);
    trio->nginx = lab_nginx_start(trio->pop->node, nginx_http);
}

static void start_login(struct trio *trio)
{
    char secret[LAB_PATH_MAX];
    json_t *key = mint_key("ES256", "key-1");

    lab_write(trio->pop->node, "secret", LAB_GLEWLWYD_SECRET "\n");
    chmod(lab_path(trio->pop->node, "secret", secret), 0600);
    lab_address_add(trio->pop->node, TRIO_LOGIN_V4);
    trio->glewlwyd =
        lab_glewlwyd_start(trio->pop->node, usual_ports.of[TRIO_LOGIN], key, LAB_REGION);
    json_decref(key);
}

struct trio trio_make(struct pop *pop)
{
    struct trio trio = {.pop = pop};

    start_web(&trio);
    start_login(&trio);
    return trio;
}

const char *trio_sections(const struct trio *trio, const struct trio_ports *ports,
                          const char *probe_keys, const char *service_keys,
                          char out[LAB_CONFIG_MAX])
{
    const char *dir = lab_dir(trio->pop->node);
    unsigned dns = (ports != NULL ? ports : &usual_ports)->of[TRIO_DNS];
    unsigned web = (ports != NULL ? ports : &usual_ports)->of[TRIO_WEB];
    unsigned login = (ports != NULL ? ports : &usual_ports)->of[TRIO_LOGIN];
    int length = snprintf(
        out, LAB_CONFIG_MAX,
        "[probe dns4]\ntype = dns\ntarget = 192.0.2.53:%u\n"
        "qname = " POP_WWW "\nqtype = A\nanswer = " POP_WWW_V4 "\n%s"
        "[probe dns6]\ntype = dns\ntarget = [2001:db8::53]:%u\n"
        "qname = " POP_WWW "\nqtype = A\nanswer = " POP_WWW_V4 "\n%s"
        "[probe web-tls]\ntype = tls\ntarget = " WEB_HOST ":%u\n"
        "server_name = " WEB_NAME "\nca = %s/ca.pem\n%s"
        "[probe login-token]\ntype = token\ntarget = " LOGIN_HOST ":%u\n"
        "token_url = http://" LOGIN_HOST ":%u/api/oidc/token\n"
        "jwks_url = http://" LOGIN_HOST ":%u/api/oidc/jwks\n"
        "client_id = " LAB_GLEWLWYD_CLIENT "\nsecret_file = %s/secret\nscope = probe\n"
        "issuer = " LAB_GLEWLWYD_ISSUER "\naudience = probe\nclaims = region={pop.region}\n%s"
        "[service dns]\nprefixes = " POP_V4 " " POP_V6 "\nrequire = dns4 dns6\n%s"
        "[service web]\nprefixes = " TRIO_WEB_V4 "\nrequire = web-tls\n%s"
        "[service login]\nprefixes = " TRIO_LOGIN_V4 "\nrequire = login-token\n%s",
        dns, probe_keys, dns, probe_keys, web, dir, probe_keys, login, login, login, dir,
        probe_keys, service_keys, service_keys, service_keys);

    if (length >= LAB_CONFIG_MAX) {
        lab_fail("the services' configuration is longer than %d bytes", LAB_CONFIG_MAX);
    }
    return out;
}

// ---- Broken and mended

static void set_broken(struct trio *trio, enum trio_service service, bool broken)
{
    struct lab_unbound unbound = pop_unbound;

    switch (service) {
    case TRIO_DNS:
        if (broken) {
            unbound.local_data = POP_WWW ". A " TRIO_WRONG_V4;
        }
        lab_unbound_reload(trio->pop->node, trio->pop->unbound, &unbound);
        break;
    case TRIO_WEB:
        write_certificate(trio, broken);
        lab_signal(trio->nginx, SIGHUP);
        break;
    default:
        lab_glewlwyd_set_region(trio->glewlwyd, broken ? TRIO_WRONG_REGION : LAB_REGION);
    }
}

void trio_break(struct trio *trio, enum trio_service service)
{
    set_broken(trio, service, true);
}

void trio_mend(struct trio *trio, enum trio_service service)
{
    set_broken(trio, service, false);
}

// ---- Killed and stopped

static struct lab_process *process_of(struct trio *trio, enum trio_service service)
{
    return service == TRIO_DNS   ? trio->pop->unbound
           : service == TRIO_WEB ? trio->nginx
                                 : lab_glewlwyd_process(trio->glewlwyd);
}

void trio_kill(struct trio *trio, enum trio_service service)
{
    lab_kill_group(process_of(trio, service));
}

void trio_revive(struct trio *trio, enum trio_service service)
{
    switch (service) {
    case TRIO_DNS:
        lab_unbound_restart(trio->pop->unbound);
        break;
    case TRIO_WEB:
        lab_nginx_restart(trio->pop->node, trio->nginx, NULL);
        break;
    default:
        lab_glewlwyd_restart(trio->glewlwyd);
    }
}

void trio_stop(struct trio *trio, enum trio_service service)
{
    lab_signal_group(process_of(trio, service), SIGSTOP);
}

void trio_continue(struct trio *trio, enum trio_service service)
{
    lab_signal_group(process_of(trio, service), SIGCONT);
}
