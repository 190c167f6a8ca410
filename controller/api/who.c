#include "controller/api/who.h"

#include "base/text.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define USER_MAX      30         // of each of two
#define NOBODY_LOGGED UINT32_MAX // a service, cron

static void name_user(uid_t uid, char *out, size_t size)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *user = NULL;
    while (file != NULL && (user = fgetpwent(file)) != NULL && user->pw_uid != uid) {
    }
    if (user != NULL) {
        int most = (int)(size - sizeof " (4294967295)");
        snprintf(out, size, "%.*s (%u)", most, user->pw_name, (unsigned)uid);
    } else {
        snprintf(out, size, "uid %u", (unsigned)uid);
    }
    if (file != NULL) {
        fclose(file);
    }
}

// Whose session it is (pam_loginuid(8)), which neither su nor sudo changes; uid if the kernel does
// not say.
static uid_t login_of(uid_t uid, pid_t pid, const char *proc)
{
    char path[128];
    char text[32] = "";
    uint64_t login = NOBODY_LOGGED;
    snprintf(path, sizeof path, "%.64s/%ld/loginuid", proc, (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return uid;
    }
    bool read = fgets(text, sizeof text, file) != NULL && text_digits(text, &login) != NULL;
    fclose(file);
    return read && login < NOBODY_LOGGED ? (uid_t)login : uid;
}

void who_asks(uid_t uid, pid_t pid, const char *proc, char out[INTENT_BY_MAX])
{
    char user[USER_MAX];
    char login[USER_MAX];
    uid_t login_uid = login_of(uid, pid, proc);
    if (login_uid == uid) {
        name_user(uid, out, INTENT_BY_MAX);
        return;
    }
    name_user(uid, user, sizeof user);
    name_user(login_uid, login, sizeof login);
    snprintf(out, INTENT_BY_MAX, "%s as %s", login, user);
}
