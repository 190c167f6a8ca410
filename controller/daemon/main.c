// popgated: the options, and what each of them runs.
#include "base/file.h"
#include "controller/config/load.h"
#include "controller/core/birdconf.h"
#include "controller/daemon/as_user.h"
#include "controller/daemon/daemon.h"
#include "controller/daemon/failsafe.h"
#include "controller/daemon/identity.h"
#include "controller/daemon/state_files.h"

#include <curl/curl.h>
#include <getopt.h>
#include <grp.h>
#include <jansson.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define DEFAULT_CONFIG "/etc/popgate/popgate.conf"

static const char usage[] =
    "usage: popgated [--config FILE]             run\n"
    "       popgated --check-config [FILE]       say everything that is wrong with FILE\n"
    "       popgated --print-bird-config [FILE]  print the file that BIRD includes\n"
    "       popgated --withdraw-all [FILE]       the fail-safe: withdraw everything and exit\n"
    "       popgated --withdraw-unattended [FILE] the same, if popgated ended unstopped\n"
    "       popgated --ended [FILE]              after each end of the service, by its unit\n"
    "       popgated --version | --help\n"
    "FILE is " DEFAULT_CONFIG " if not given.\n";

struct tally {
    unsigned errors, warnings;
};

static void print_line(void *arg, bool error, const char *line)
{
    struct tally *tally = arg;
    *(error ? &tally->errors : &tally->warnings) += 1;
    fprintf(stderr, "%s: %s\n", error ? "error" : "warning", line);
}

// Whom [control] lets change things. Looked up here and not by the reader of the file, as it may
// ask a directory service.
static void check_group(const struct config *config, const char *path, struct tally *tally)
{
    const char *group = config->control.group;
    if (group[0] != '\0' && getgrnam(group) == NULL) {
        tally->warnings++;
        fprintf(stderr,
                "warning: %s: [control] `group`: there is no group %s here: only root and "
                "popgated's own user may change anything\n",
                path, group);
    }
}

// Only warned of, as secrets are: whoever checks may see less than popgated, and a disk may come
// later.
static void check_directories(const struct config *config, const char *path, struct tally *tally)
{
    const struct {
        const char *key, *directory, *without;
    } rows[] = {
        {"state_dir", config->pop.state_dir, "every service is drained"},
        {"runtime_dir", config->pop.runtime_dir, "it does not start"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char message[ERROR_MAX];
        if (!state_files_fit(rows[i].directory, message)) {
            tally->warnings++;
            fprintf(stderr, "warning: %s: [pop] `%s`: %s; if popgated finds it so, %s\n", path,
                    rows[i].key, message, rows[i].without);
        }
    }
}

// What is not in the file but beside it. That it can't be read is only a warning: whoever checks
// may see less than popgated.
static bool check_secrets(const struct config *config, const char *path)
{
    char error[ERROR_MAX];
    enum secrets_found found = identity_check_secrets(config, error);
    if (found != SECRETS_SOUND) {
        fprintf(stderr, "%s: %s%s\n", path, error,
                found == SECRETS_UNREADABLE ? "; if that is so for popgated too, it will not start"
                                            : "");
    }
    return found != SECRETS_WRONG;
}

static void hear_nothing(void *arg, bool error, const char *line)
{
    (void)arg, (void)error, (void)line;
}

// Reads it, and looks at the files that it names as popgated will: as user, unless that is "".
static struct config *load_to_check(const char *path, struct tally *tally, char user[AS_USER_MAX])
{
    char error[ERROR_MAX];
    char *text = NULL;
    size_t length = 0;
    struct config *config = config_load(path, hear_nothing, NULL);
    user[0] = '\0';
    bool became = config != NULL && file_read(path, CONFIG_FILE_MAX, &text, &length, error) == 0 &&
                  as_user_become(config->pop.state_dir, user);
    config_free(config);
    config =
        became ? config_parse(path, text, print_line, tally) : config_load(path, print_line, tally);
    free(text);
    return config;
}

static int check_config(const char *path)
{
    struct tally tally = {0};
    char user[AS_USER_MAX];
    struct config *config = load_to_check(path, &tally, user);
    if (config == NULL) {
        fprintf(stderr, "%s: %u error%s, %u warning%s\n", path, tally.errors,
                tally.errors == 1 ? "" : "s", tally.warnings, tally.warnings == 1 ? "" : "s");
        return 1;
    }
    if (!check_secrets(config, path)) {
        config_free(config);
        return 1;
    }
    check_directories(config, path, &tally);
    check_group(config, path, &tally);
    printf("%s: good; %zu service%s, %zu probe%s, %u warning%s%s%s\n", path, config->service_count,
           config->service_count == 1 ? "" : "s", config->probe_count,
           config->probe_count == 1 ? "" : "s", tally.warnings, tally.warnings == 1 ? "" : "s",
           user[0] ? "; its files were looked at as user " : "", user);
    config_free(config);
    return 0;
}

static int print_bird_config(const char *path)
{
    struct tally tally = {0};
    struct config *config = config_load(path, print_line, &tally);
    if (config == NULL) {
        return 1;
    }
    struct birdconf *conf = birdconf_render(config);
    bool printed = conf != NULL && fwrite(conf->text, 1, conf->length, stdout) == conf->length &&
                   fflush(stdout) == 0;
    if (!printed) {
        perror("popgated: can't print BIRD's include file");
    }
    birdconf_free(conf);
    config_free(config);
    return printed ? 0 : 1;
}

// Those that tell, as they are loaded now.
static void print_version(void)
{
    printf("popgated " POPGATE_VERSION "\n"
           "libuv %s, libcurl %s, OpenSSL %s, libmicrohttpd %s, jansson %s, libsodium %s\n",
           uv_version_string(), curl_version_info(CURLVERSION_NOW)->version,
           OpenSSL_version(OPENSSL_VERSION_STRING), MHD_get_version(), jansson_version_str(),
           sodium_version_string());
}

struct mode {
    const char *option;
    int (*run)(const char *path);
};

static const struct mode modes[] = {{"config", daemon_run},
                                    {"check-config", check_config},
                                    {"print-bird-config", print_bird_config},
                                    {"withdraw-all", failsafe_withdraw_all},
                                    {"withdraw-unattended", failsafe_withdraw_unattended},
                                    {"ended", failsafe_ended}};

// getopt_long() takes any beginning of an option for it: `--w` would withdraw everything.
static const char *shortened(char **argv, const struct option *options)
{
    for (; *argv != NULL; argv++) {
        size_t length = strcspn(*argv, "=");
        bool known = strncmp(*argv, "--", 2) != 0 || length == 2;
        for (const struct option *it = options; it->name != NULL && !known; it++) {
            known = strlen(it->name) == length - 2 && strncmp(*argv + 2, it->name, length - 2) == 0;
        }
        if (!known) {
            return *argv;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 0},
                                            {"check-config", optional_argument, NULL, 1},
                                            {"print-bird-config", optional_argument, NULL, 2},
                                            {"withdraw-all", optional_argument, NULL, 3},
                                            {"withdraw-unattended", optional_argument, NULL, 4},
                                            {"ended", optional_argument, NULL, 5},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = DEFAULT_CONFIG;
    int mode = 0;
    int option;
    if (!file_open_standard()) {
        return 1;
    }
    const char *unknown = shortened(argv + 1, options);
    if (unknown != NULL) {
        fprintf(stderr, "popgated: unknown option %s\n%s", unknown, usage);
        return 2;
    }
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'V') {
            print_version();
            return 0;
        }
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (option == '?') {
            fputs(usage, stderr);
            return 2;
        }
        mode = option;
        path = optarg != NULL ? optarg : path;
    }
    // --check-config FILE as well as --check-config=FILE
    if (optind < argc && mode != 0) {
        path = argv[optind++];
    }
    if (optind < argc) {
        fprintf(stderr, "popgated: unexpected argument %s\n%s", argv[optind], usage);
        return 2;
    }
    return modes[mode].run(path);
}
