//! Signing in, and one's own account: for customers on the public listener, for staff on the private one.

use super::Routes;

/// For customers.
pub(super) fn customers(routes: Routes) -> Routes {
    routes
}

/// For staff.
pub(super) fn staff(routes: Routes) -> Routes {
    routes
}
