global using Bnb.TestKit;
global using Xunit;
