#include "controller/api/who.h"

#include "base/text.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define USER_MAX      36         // of each of two
#define NOBODY_LOGGED UINT32_MAX // a service, cron

static_assert(INTENT_CLAIM_MAX + 2 * USER_MAX + sizeof ", says  as " <= INTENT_BY_MAX,
              "who asks is told whole");

static void name_user(const struct who *who, uid_t uid, char out[USER_MAX])
{
    const char *name = uid == 0 ? "root" : who->name(who->arg, uid);
    if (name != NULL) {
        snprintf(out, USER_MAX, "%.*s (%u)", (int)(USER_MAX - sizeof " (4294967295)"), name,
                 (unsigned)uid);
    } else {
        snprintf(out, USER_MAX, "uid %u", (unsigned)uid);
    }
}

// Whose session it is (pam_loginuid(8)), which neither su nor sudo changes; uid if the kernel does
// not say. An isolation waits for this: no more calls than it takes.
static uid_t login_of(const struct who *who)
{
    char path[128];
    char text[32] = "";
    uint64_t login = NOBODY_LOGGED;
    snprintf(path, sizeof path, "%.64s/%ld/loginuid", who->proc, (long)who->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return who->uid;
    }
    bool said = read(fd, text, sizeof text - 1) > 0 && text_digits(text, &login) != NULL;
    close(fd);
    return said && login < NOBODY_LOGGED ? (uid_t)login : who->uid;
}

void who_asks(const struct who *who, char out[INTENT_BY_MAX])
{
    char user[USER_MAX];
    char login[USER_MAX] = "";
    uid_t login_uid = login_of(who);
    name_user(who, who->uid, user);
    if (login_uid != who->uid) {
        name_user(who, login_uid, login);
    }
    snprintf(out, INTENT_BY_MAX, "%s%s%s%s%s", who->claimed,
             who->claimed[0] != '\0' ? ", says " : "", login, login[0] != '\0' ? " as " : "", user);
}
