/* The private C library: powers of ten. */
double native_prefix_si_factor(int exponent)
{
    double factor = 1.0;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--)
        factor *= 10.0;
    return exponent < 0 ? 1.0 / factor : factor;
}
