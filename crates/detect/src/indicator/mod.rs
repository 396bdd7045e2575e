//! Sets of indicators: tens of millions of names, addresses and hashes, asked in well under a microsecond.
