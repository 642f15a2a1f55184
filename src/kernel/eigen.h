/* Eigenvalues and vectors of a symmetric matrix in f64: reflections make it tridiagonal (Householder 1958), then QR steps
 * with implicit shifts (Francis 1961; Golub and Van Loan, Matrix Computations, section 8.3). About 9 n^3 operations with
 * vectors. The same bits for any number of threads. */
#ifndef GR__EIGEN_H
#define GR__EIGEN_H

#include "base/status.h"

/* a: (n, n), symmetric and finite; it is lost.
 * value: (n), the largest first. vector: (n, n), row i of length 1 belongs to value[i]; its sign is arbitrary. NULL: not wanted.
 * Status: GR_ERR_MEMORY. */
gr_status gr__eigen_symmetric(double *a, int64_t n, double *value, double *vector);

#endif
