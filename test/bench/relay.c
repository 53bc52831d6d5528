/* A plain relay: it passes each datagram on to all that ever wrote to it.
 * An empty datagram makes its sender one of them, and goes to nobody else. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

static struct sockaddr_in members[1000];
static char text[65536], line[65536 + 16];

int main(void) {
    struct sockaddr_in here = {.sin_family = AF_INET}, from;
    socklen_t size = sizeof here;
    int sk = socket(AF_INET, SOCK_DGRAM, 0), count = 0;

    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(sk, (struct sockaddr *)&here, size) < 0) return 1;
    getsockname(sk, (struct sockaddr *)&here, &size);
    fprintf(stderr, "listening on port %d\n", ntohs(here.sin_port));
    for (;;) {
        int length = recvfrom(sk, text, sizeof text, 0, (struct sockaddr *)&from, &size);
        if (length < 0) return 1;
        if (length == 0) {
            if (count < 1000) members[count++] = from;
            sendto(sk, "", 0, 0, (struct sockaddr *)&from, size);
            continue;
        }
        length = snprintf(line, sizeof line, "m%d: %.*s", ntohs(from.sin_port), length, text);
        for (int i = 0; i < count; i++)
            sendto(sk, line, length, 0, (struct sockaddr *)&members[i], size);
    }
}
