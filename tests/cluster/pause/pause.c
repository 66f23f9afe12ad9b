/* The first process of every pod: it keeps the pod's namespaces alive, collects orphaned processes, and ends at SIGTERM. */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &awaited, NULL); /* blocked and awaited: no handler, no race */

    for (;;) {
        int received;
        if (sigwait(&awaited, &received) != 0 || received != SIGCHLD) return 0;
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
}
