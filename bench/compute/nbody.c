/* nbody - five bodies under gravity: scalar floating point
 *
 * Usage: nbody [steps=3000000]
 * Output: "nbody energy", nine digits.  Exit status 1 on a bad argument.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BODIES = 5 };
struct body { double x, y, z, vx, vy, vz, mass; };

static struct body bodies[BODIES] = {
    { 0, 0, 0, 0, 0, 0, 39.478417604357432 },
    { 4.84143144246472090, -1.16032004402742839, -0.103622044471123109,
      0.606326392995832, 2.81198684491626, -0.0252183616598876, 0.0376936749096657 },
    { 8.34336671824457987, 4.12479856412430479, -0.403523417114321381,
      -1.01077434617879, 1.82566237123041, 0.00841576137658415, 0.0112863261319688 },
    { 12.8943695621391310, -15.1111514016986312, -0.223307578892655734,
      1.08279100644154, 0.868713018169608, -0.0108326374013636, 0.00172372405705971 },
    { 15.3796971148509165, -25.9193146099879641, 0.179258772950371181,
      0.979090732243898, 0.594698998647676, -0.0347559555078104, 0.00203368686992463 },
};

static void advance(double dt)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double factor = dt / (square * sqrt(square));
            a->vx -= dx * b->mass * factor;
            a->vy -= dy * b->mass * factor;
            a->vz -= dz * b->mass * factor;
            b->vx += dx * a->mass * factor;
            b->vy += dy * a->mass * factor;
            b->vz += dz * a->mass * factor;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

int main(int argc, char **argv)
{
    long steps = argc < 2 ? 3000000 : strtol(argv[1], NULL, 10);
    if (steps <= 0)
        return 1;
    while (steps-- > 0)
        advance(0.01);
    double energy = 0;
    for (int i = 0; i < BODIES; i++)
        energy += 0.5 * bodies[i].mass *
                  (bodies[i].vx * bodies[i].vx + bodies[i].vy * bodies[i].vy + bodies[i].vz * bodies[i].vz);
    printf("nbody %.9f\n", energy);
    return 0;
}
