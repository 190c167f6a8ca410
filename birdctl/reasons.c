// Why there is no connection to BIRD, as an operator reads it.
#include "birdctl/inside.h"

#include "base/groups.h"

#include <stdio.h>
#include <sys/stat.h>

// Once, at the start: the file of groups is not to be read while the loop runs.
void session_name_group(struct bird_session *session)
{
    struct stat status;
    if (stat(session->path, &status) == 0) {
        session->group.number = status.st_gid;
        (void)group_local_name(status.st_gid, session->group.name, sizeof session->group.name);
    }
}

// The group that may write to the socket, for the advice; false if even looking at it is forbidden.
static bool socket_group(const struct bird_session *session, char *out, size_t size)
{
    struct stat status;
    if (stat(session->path, &status) != 0) {
        return false;
    }
    if (status.st_gid == session->group.number && session->group.name[0] != '\0') {
        snprintf(out, size, "%s", session->group.name);
    } else {
        snprintf(out, size, "with id %lu", (unsigned long)status.st_gid);
    }
    return true;
}

static void advise_on_permission(const struct bird_session *session, char *out, size_t size)
{
    char group[64];
    if (!socket_group(session, group, sizeof group)) {
        snprintf(out, size,
                 "popgated's user may not enter the socket's directory (it must be in the "
                 "directory's group, e.g. bird)");
        return;
    }
    snprintf(out, size,
             "popgated's user must be in the socket's group, %s, and the group must be allowed to "
             "write to it",
             group);
}

static const char *advice_for(int error)
{
    static const struct {
        int error;
        const char *advice;
    } table[] = {
        {UV_ENOENT, "is BIRD running, and is [bird] socket right?"},
        {UV_ENOTDIR, "is [bird] socket right?"},
        {UV_ECONNREFUSED, "BIRD isn't running (it left its socket behind), or the file isn't a "
                          "socket of BIRD's"},
        {UV_EAGAIN, "BIRD accepts no more connections; is it stopped or stuck?"},
        {UV_ENAMETOOLONG, "[bird] socket is longer than a socket's path may be"},
        {UV_EMFILE, "popgated is out of file descriptors (trouble of our own; LimitNOFILE=)"},
        {UV_ENFILE, "this host is out of file descriptors (trouble of our own; fs.file-max)"},
        {UV_ENOMEM, "this host is out of memory (trouble of our own)"},
        {UV_EBUSY, "thousands of commands wait for BIRD's answers; trying a new connection"},
        {UV_ENOBUFS, "this host is out of memory (trouble of our own)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].error == error) {
            return table[i].advice;
        }
    }
    return NULL;
}

void session_describe_error(const struct bird_session *session, const char *attempted, int error,
                            char out[BIRD_REASON_MAX])
{
    char permission[256];
    const char *advice = advice_for(error);
    if (error == UV_EACCES || error == UV_EPERM) {
        advise_on_permission(session, permission, sizeof permission);
        advice = permission;
    }
    snprintf(out, BIRD_REASON_MAX, "%s %s: %s%s%s", attempted, session->path, uv_strerror(error),
             advice != NULL ? "; " : "", advice != NULL ? advice : "");
}
