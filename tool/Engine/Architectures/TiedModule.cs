namespace Bnb.Engine.Architectures;

/// <summary>A module in memory whose weight is another module's.</summary>
/// <param name="Module">The one that need not be in a file.</param>
/// <param name="Source">The one whose weight it has; null where the library does not say.</param>
internal sealed record TiedModule(string Module, string? Source);
