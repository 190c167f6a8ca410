// See as_user.h.
#include "controller/daemon/as_user.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define USUAL_USER "popgate" // of systemd/popgated.service

bool as_user_become(const char *state_dir, char name[AS_USER_MAX])
{
    struct stat state;
    bool there = stat(state_dir, &state) == 0;
    const struct passwd *user = there ? getpwuid(state.st_uid) : getpwnam(USUAL_USER);
    uid_t uid = there ? state.st_uid : user != NULL ? user->pw_uid : 0;
    gid_t gid = user != NULL ? user->pw_gid : there ? state.st_gid : 0;
    if (geteuid() != 0 || uid == 0) {
        return false;
    }
    if (user != NULL) {
        snprintf(name, AS_USER_MAX, "%s", user->pw_name);
    } else {
        snprintf(name, AS_USER_MAX, "%u", (unsigned)uid);
    }
    bool grouped = user != NULL ? initgroups(user->pw_name, gid) == 0 : setgroups(1, &gid) == 0;
    bool became = grouped && setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
    if (!became) {
        name[0] = '\0';
    }
    return became;
}
