// See system_error.h.
#include "probes/system_error.h"

#include <uv.h>

// What is not listed is about the service, with the code "error". An unreachable network or host is
// about the service too: nobody can say that it works while it can't be reached from its own PoP.
static const struct {
    int error;
    bool ours;
    const char *code;
} errors[] = {
    {UV_EMFILE, true, "local"},
    {UV_ENFILE, true, "local"},
    {UV_ENOMEM, true, "local"},
    {UV_ENOBUFS, true, "local"},
    {UV_EPERM, true, "local"},
    {UV_EACCES, true, "local"},
    {UV_EADDRNOTAVAIL, true, "local"},
    {UV_EADDRINUSE, true, "local"},
    {UV_EAFNOSUPPORT, true, "local"},
    {UV_EPROTONOSUPPORT, true, "local"},
    {UV_EAGAIN, true, "local"},
    {UV_EBADF, true, "local"},
    {UV_ENOTSOCK, true, "local"},
    {UV_EEXIST, true, "local"},
    {UV_ENOSYS, true, "local"},
    {UV_EMSGSIZE, true, "local"},
    {UV_ENETDOWN, true, "local"},
    {UV_ENODEV, true, "local"},
    {UV_ECONNREFUSED, false, "refused"},
    {UV_ECONNRESET, false, "closed"},
    {UV_ECONNABORTED, false, "closed"},
    {UV_EPIPE, false, "closed"},
    {UV_EHOSTUNREACH, false, "unreachable"},
    {UV_ENETUNREACH, false, "unreachable"},
    {UV_EINVAL, false,
     "unreachable"}, // Linux says so of a blackhole route, such as BIRD may have put there
    {UV_ETIMEDOUT, false, "timeout"},
};
#define ERRORS (sizeof errors / sizeof *errors)

bool probe_error_is_ours(int error)
{
    for (size_t i = 0; i < ERRORS; i++) {
        if (errors[i].error == error) {
            return errors[i].ours;
        }
    }
    return false;
}

const char *probe_error_code(int error)
{
    for (size_t i = 0; i < ERRORS; i++) {
        if (errors[i].error == error) {
            return errors[i].code;
        }
    }
    return "error";
}

void finding_error(struct finding *out, int error, const char *attempted)
{
    bool ours = probe_error_is_ours(error);
    finding_set(out, ours ? VERDICT_UNKNOWN : VERDICT_FAIL, probe_error_code(error), "%s: %s%s",
                attempted, uv_strerror(error), ours ? " (trouble of popgated's own)" : "");
}
